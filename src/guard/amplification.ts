import { MAX_AMPLIFICATION } from './limits.js';

/** Whether answers are so much larger than the question that who forges its sender could flood the one that they go to. */
export function amplifies(questionBytes: number, answerBytes: number): boolean {
  return answerBytes > MAX_AMPLIFICATION * questionBytes;
}
